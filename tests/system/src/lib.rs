//! Tests of the whole product: its tree, its processes, its data. They stand in `tests/`; this
//! library is empty and exists because a package needs a target of its own.
