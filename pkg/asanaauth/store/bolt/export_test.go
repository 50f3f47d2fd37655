package bolt

// Hold is a writer that does not end before release is called.
func Hold(s *Store) (release func()) {
	s.writing <- struct{}{}
	return func() { <-s.writing }
}

// NoSync lets s leave what it writes to the operating system, which is enough for
// tests whose machine does not lose its power.
func NoSync(s *Store) { s.db.NoSync = true }
