"""The evaluator of `rust/genapi` held against EMVA's reference implementation.

The reference is `genicam.genapi` of the PyPI package `genicam`, used by tests only. Both sides get
the same document, the same memory and the same operations (`operations.py` says which); what they
answer is compared by `agreement.py`.
"""
