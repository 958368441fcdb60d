"""A raw disk on its way, or a part of one: the extents that hold data, and nothing of the zeros between them.

Clones send it from the source pod to the upload server, ``cdi upload`` sends a raw file as it. One stream is::

    head   the size of the disk
    data   offset, length, CRC-32 of the plain bytes, and the bytes: at most LONGEST, plain or as one zstd frame
    ...    offsets ascend, nothing overlaps, nothing is behind the size
    end    the size again, bytes of data, and the chain of all of the stream's extents

Every frame has a header of 32 bytes, big-endian, with a CRC-32 of its own: ``frames``. What is in no extent is zero,
where the stream is the whole disk; several streams, each whole by itself, may also share one disk among them.

How to use it::

    encoder = Encoder(size)                          # or Encoder(size, mark) to go on where another one stopped
    send(encoder.head())
    for offset, data in what_is_data:                # any length; Encoder.extent wants at most LONGEST at a time
        header, payload = encoder.extent(offset, data)
        send(header); send(payload)
    send(encoder.end())

    for extent in read_extents(Decoder(size), readinto):  # a stream that comes in one piece

    decoder = Decoder(size)                          # or Decoder(size, mark); None: whatever the head says
    while not decoder.ended:                         # and one that comes in several: between any two bytes
        count = readinto(decoder.room)               # bytes are received to where they are needed: no copy
        if not count:
            decoder.close()                          # raises Malformed for a stream that is cut off
        for extent in decoder.took(count):           # no or one extent
            sink.write(extent.offset, extent.data)   # valid until the next ``took``

A ``Mark`` is a place between two frames: whoever keeps one, beside the data that it stands for, can go on with the
stream in another process, at byte ``mark.position`` of it. Encoders are deterministic where they do not compress.
"""
