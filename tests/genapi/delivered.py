"""What comes to the reference past its registers: chunks, events, kept values."""

import genicam.genapi as g


class Delivered:
    """The operations of `reference.Side` that bring something."""

    map: g.NodeMap
    nodes: dict

    def do_chunks(self, op):
        """All chunks of one buffer, as a GenTL producer lists them; none takes the buffer away."""
        if not hasattr(self, "chunks"):
            self.chunks = g.ChunkAdapterGeneric(self.map)
        data, listed = b"", []
        for number, text in op["chunks"]:
            chunk = g.SingleChunkData()
            chunk.chunk_id, chunk.chunk_offset = number, len(data)
            data += bytes.fromhex(text)
            chunk.chunk_length = len(data) - chunk.chunk_offset
            listed.append(chunk)
        # The adapter points into the buffer from now on.
        self.buffer = data
        if listed:
            self.chunks.attach_buffer(data, listed)
        else:
            self.chunks.detach_buffer()
        return {}

    def do_event(self, op):
        if not hasattr(self, "events"):
            self.events = g.EventAdapterGeneric(self.map.pointer)
        number, text = op["event"]
        self.events.deliver_message(bytes.fromhex(text), number)
        return {}

    def do_save(self, _):
        """The binding does not offer what the reference has for it."""
        return {}

    def do_load(self, op):
        """Kept values one after another, as any user of the reference would give them back."""
        unrestored = []
        for name, value in op["lines"]:
            try:
                self.nodes[name].from_string(value)
            except (KeyError, g.GenericException):
                unrestored.append(name)
        return {"unrestored": unrestored}
