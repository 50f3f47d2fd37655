package seal

// RowKey returns the encryption key of a row, derived from the primary key. Tests pass it
// to Tink.
func (r *Ring) RowKey(row string) ([]byte, error) { return r.rowKey(r.primary, row) }

// Associated returns the associated data for a field that is sealed with the primary key.
func (r *Ring) Associated(l Label) []byte { return r.associated(l, r.primary) }
