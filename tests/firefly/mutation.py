"""What a decoder must survive: arbitrary bytes, and valid ones that were changed a little."""

from hypothesis import strategies as st


@st.composite
def mutated(draw: st.DrawFn, data: bytes) -> bytes:
    """`data` with up to four changes: a byte replaced, a part cut out, bytes put in, the end cut off."""
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(start + 8, len(data))))
        match draw(st.sampled_from(["replace", "remove", "insert", "cut"])):
            case "replace" if start < len(data):
                data = data[:start] + draw(st.binary(min_size=1, max_size=1)) + data[start + 1 :]
            case "remove":
                data = data[:start] + data[end:]
            case "insert":
                data = data[:start] + draw(st.binary(max_size=8)) + data[start:]
            case "cut":
                data = data[:start]
    return data


def garbage(data: bytes) -> st.SearchStrategy[bytes]:
    """Arbitrary bytes, or `data` mutated."""
    return st.binary(max_size=2 * len(data) + 8) | mutated(data)
