package bolt

// Hold blocks all other writers until release is called.
func Hold(s *Store) (release func()) {
	s.writing <- struct{}{}
	return func() { <-s.writing }
}

// NoSync stops s from syncing the file after each write, which makes tests faster.
func NoSync(s *Store) { s.db.NoSync = true }
