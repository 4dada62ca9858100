"""Time a network, and say what its time comes from.

``measure`` times a module, ``sweep`` many networks in processes of their own; ``roofline`` is the
least time possible, ``predict`` fits time to counts, ``compare`` explains two numbers that differ.
The parts without torch (all but ``measure``, ``protocol``, ``device``, ``peaks``) import none.
"""
