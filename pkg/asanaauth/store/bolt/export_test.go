package bolt

// Hold blocks all other writers until release is called.
func Hold(s *Store) (release func()) {
	s.writing <- struct{}{}
	return func() { <-s.writing }
}

func NoSync(s *Store) { s.db.NoSync = true }
