package seal

// RowKey gives the key that the ring's primary key derives for a row, so that
// another implementation can be tried on what it seals.
func (r *Ring) RowKey(row string) ([]byte, error) { return r.rowKey(r.primary, row) }

// Associated gives the associated data of a field under the primary key.
func (r *Ring) Associated(l Label) []byte { return r.associated(l, r.primary) }
