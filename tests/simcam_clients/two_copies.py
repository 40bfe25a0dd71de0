"""Opens two copies of the producer in one process, over the bare C interface: two_copies.py A B."""

import ctypes
import sys

WIDTH, TL_PARAMS_LOCKED = 0x1010, 0x7000


class Producer:
    """One library, as far as this test needs it."""

    def __init__(self, path: str):
        self._library = ctypes.CDLL(path)

    def call(self, name: str, *arguments) -> int:
        return getattr(self._library, name)(*arguments)

    def opened(self, name: str, *arguments) -> ctypes.c_void_p:
        handle = ctypes.c_void_p()
        assert self.call(name, *arguments, ctypes.byref(handle)) == 0, name
        return handle

    def open(self) -> None:
        assert self.call("GCInitLib") == 0
        system = self.opened("TLOpen")
        interface = self.opened("TLOpenInterface", system, b"SimCamInterface")
        self.device = self.opened("IFOpenDevice", interface, b"SimCam_0", 4)
        self.port = self.opened("DevGetPort", self.device)

    def read(self, address: int) -> int | None:
        value, size = ctypes.c_uint32(), ctypes.c_size_t(4)
        to, room = ctypes.byref(value), ctypes.byref(size)
        code = self.call("GCReadPort", self.port, ctypes.c_uint64(address), to, room)
        return value.value if code == 0 else None

    def write(self, address: int, value: int) -> None:
        number, size = ctypes.c_uint32(value), ctypes.c_size_t(4)
        to, room = ctypes.byref(number), ctypes.byref(size)
        assert self.call("GCWritePort", self.port, ctypes.c_uint64(address), to, room) == 0

    def last_error(self) -> int:
        code = ctypes.c_int32()
        size = ctypes.c_size_t(0)
        self.call("GCGetLastError", ctypes.byref(code), None, ctypes.byref(size))
        return code.value


one, two = (Producer(path) for path in sys.argv[1:3])
one.open()
assert two.call("TLOpen", None) == -1002, "the second copy is not initialised by the first"
two.open()
assert one.call("GCInitLib") == -1004

one.write(WIDTH, 64)
one.write(TL_PARAMS_LOCKED, 1)
assert (one.read(WIDTH), two.read(WIDTH)) == (64, 640)
two.write(WIDTH, 128)
assert (one.read(WIDTH), two.read(WIDTH)) == (64, 128)
# A handle of one is none of the other, and an error of one is none of the other's.
assert two.call("DevClose", ctypes.c_void_p(0x1234)) == -1006
assert (two.last_error(), one.last_error()) == (-1006, -1004)

assert one.call("GCCloseLib") == 0
assert one.read(WIDTH) is None
assert two.read(WIDTH) == 128
one.open()
assert one.read(WIDTH) == 640
assert one.call("GCCloseLib") == 0
assert two.call("GCCloseLib") == 0
