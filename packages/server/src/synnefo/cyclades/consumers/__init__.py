"""Where events of Ganeti nodes enter: their schemas, the queues they travel on, and what becomes of each message.

Messages arrive at least once, in no promised order. A consumer parses, calls one service and decides between done,
dropped, once more and dead; it holds no rule of the domain.
"""
