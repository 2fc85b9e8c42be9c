"""What a person is told of a faulty sweep file: what was meant, where it belongs, and what to write instead."""
