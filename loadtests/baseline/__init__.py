"""How such an endpoint is slow: the hot path of a real forwardAuth endpoint, rebuilt from measurements of it.

Written anew for comparison; nothing here is part of the gateway, and nothing of the gateway is used. Two causes, each
switched by itself (``causes``): the pool, and the key.
"""

from __future__ import annotations
