package bolt

// Hold is a writer that does not end before release is called.
func Hold(s *Store) (release func()) {
	s.writing <- struct{}{}
	return func() { <-s.writing }
}
