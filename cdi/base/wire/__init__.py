"""What workers and controllers tell each other, each text with its one writer and its one reader.

A worker is one program, its controller another, of another version maybe: what is read here may be anybody's. Plain
types: workers import nothing more than this.
"""
