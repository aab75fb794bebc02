"""Doors: bytes and ASGI in and out. Starlette lives here. A door turns a request into a value, calls one service or the
check, and writes the answer; it decides nothing itself."""
