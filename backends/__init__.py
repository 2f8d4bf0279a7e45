"""The backends that compute: `array_backend` holds every primitive, the others override it.

A backend knows arrays and kernels. It must not know Tensor, the graph or `nn`.
"""
