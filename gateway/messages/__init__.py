"""HTTP/1.1 messages, read strictly (RFC 9112): what a head may say, where a body ends, what is read at a glance. Pure: no
socket, no parser. Both doors and the relay stand on this one reading."""
