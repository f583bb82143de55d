//! A store in memory, for tests: it can forget what was not flushed.
