package seal

// RowKey derives a row's encryption key from the primary key, for comparison with Tink.
func (r *Ring) RowKey(row string) ([]byte, error) { return r.rowKey(r.primary, row) }

func (r *Ring) Associated(l Label) []byte { return r.associated(l, r.primary) }
