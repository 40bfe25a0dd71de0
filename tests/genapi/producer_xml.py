"""Writes the descriptions of all ports of a GenTL producer's first devices into a folder.

    python -m tests.genapi.producer_xml PRODUCER.cti FOLDER PREFIX

in a process of its own (one library, one initialisation); prints the files' paths as JSON.
"""

import hashlib
import io
import json
import re
import sys
import zipfile
from pathlib import Path

from genicam.gentl import DEVICE_ACCESS_FLAGS_LIST, GenTLProducer

PATIENCE_MS = 2000


def description(port) -> bytes:
    """What the first URL of a port leads to, unzipped."""
    if not port.url_info_list:
        return b""
    url = port.url_info_list[0].url
    found = re.fullmatch(
        r"local:(?:///)?[^;]*;([0-9a-f]+);([0-9a-f]+)(?:\?.*)?", url, re.IGNORECASE
    )
    if found is None:
        return b""
    address, length = (int(text, 16) for text in found.groups())
    _, data = port.read(address, length)
    data = bytes(data)
    if data[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return archive.read(archive.namelist()[0])
    return data.rstrip(b"\0")


def ports(system):
    """Names and ports, from the system down to two remote devices."""
    yield "system", system.port
    system.update_interface_info_list(PATIENCE_MS)
    remotes = 0
    for interface_info in system.interface_info_list:
        interface = interface_info.create_interface()
        interface.open()
        yield "interface", interface.port
        interface.update_device_info_list(PATIENCE_MS)
        for device_info in interface.device_info_list:
            if remotes == 3:
                return
            remotes += 1
            device = device_info.create_device()
            device.open(DEVICE_ACCESS_FLAGS_LIST.DEVICE_ACCESS_EXCLUSIVE)
            yield "device", device.local_port
            yield "remote", device.remote_port
            if device.data_stream_ids:
                stream = device.create_data_stream()
                stream.open(device.data_stream_ids[0])
                yield "stream", stream.port


def main():
    cti, folder, prefix = sys.argv[1:]
    producer = GenTLProducer.create_producer()
    producer.open(cti)
    system = producer.create_system()
    system.open()
    written: dict[bytes, str] = {}
    for name, port in ports(system):
        xml = description(port)
        digest = hashlib.sha256(xml).digest()
        if xml and digest not in written:
            same_name = sum(path.split("-")[1].startswith(name) for path in written.values())
            path = Path(folder) / f"{prefix}-{name}{same_name or ''}.xml"
            path.write_bytes(xml)
            written[digest] = str(path)
    print(json.dumps(list(written.values())), flush=True)
    # The order in which producers like to be closed differs; the process ends here anyway.
    import os

    os._exit(0)


if __name__ == "__main__":
    main()
