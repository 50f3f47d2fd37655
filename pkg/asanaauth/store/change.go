package store

import "fmt"

// Absent is the value of [Change.Replaces] for a row that must not exist yet.
const Absent int64 = 0

// Change describes how [Store.Write] changes one row. Use [Put] or [Delete] to create a
// Change.
type Change struct {
	Key      Key
	Row      Row   // the whole new row, or nil to delete the row
	Replaces int64 // the Rev that the stored row must have, or Absent
}

// Put returns a change that stores row. The write succeeds only if the stored row's
// Rev is equal to the parameter replaces. If replaces is [Absent], the write succeeds only if no row with
// this key exists. The argument writer is a random ID for this write. Put sets the Writer
// of row to writer, and the Rev of row to replaces + 1.
func Put(row Row, replaces int64, writer string) Change {
	*row.head() = Head{Rev: replaces + 1, Writer: writer}
	return Change{Key: row.Key(), Row: row, Replaces: replaces}
}

// Delete returns a change that deletes a row. The write succeeds only if the stored row's
// Rev is equal to the parameter replaces, or if the row is missing.
func Delete(key Key, replaces int64) Change { return Change{Key: key, Replaces: replaces} }

// Keys returns the keys of the changes, in the order of the changes.
func Keys(changes []Change) []Key {
	keys := make([]Key, len(changes))
	for i, c := range changes {
		keys[i] = c.Key
	}
	return keys
}

// Conflict is the error that [Store.Write] returns if the condition of a change failed.
// For the conditions, see [Put] and [Delete].
type Conflict struct {
	// Rows contains the stored row for each change whose condition failed. A missing row
	// has no entry.
	Rows Rows
}

// Error returns the text of [ErrConflict].
func (*Conflict) Error() string { return ErrConflict.Error() }

// Is reports whether target is [ErrConflict].
func (*Conflict) Is(target error) bool { return target == ErrConflict }

// Judge decides whether a store must apply the changes. The map stored must contain the
// stored row for the key of each change, unless the row is missing. Use Judge only if no
// other writer can change these rows until the store has applied the changes. If apply is
// false, the store must not change any row, and Write must return err. In this case, err
// is nil if an earlier call of Write has already applied the changes.
func Judge(changes []Change, stored Rows) (apply bool, err error) {
	if err := Validate(changes...); err != nil {
		return false, err
	}
	for _, c := range changes {
		if !c.allowed(stored[c.Key]) {
			return false, Refused(changes, stored)
		}
	}
	return true, nil
}

// Refused returns the result that Write must return if the condition of a change failed.
// The map stored must contain the stored row for each change whose condition failed,
// unless the row is missing. Refused returns nil if one of these rows has the Rev and the
// Writer that its change would store, because an earlier call of Write has then already
// applied the changes. Otherwise, Refused returns a [*Conflict].
func Refused(changes []Change, stored Rows) error {
	conflict := &Conflict{Rows: Rows{}}
	for _, c := range changes {
		row := stored[c.Key]
		if row == nil || c.allowed(row) {
			continue
		}
		if c.Row != nil && c.Row.head().wrote(row) {
			return nil
		}
		conflict.Rows[c.Key] = row
	}
	return conflict
}

func (c Change) allowed(stored Row) bool {
	if stored == nil {
		return c.Replaces == Absent || c.Row == nil
	}
	return stored.head().Rev == c.Replaces
}

// If the writer ID is empty, wrote returns false, because different writes can have an
// empty writer ID.
func (h *Head) wrote(stored Row) bool { return h.Writer != "" && *stored.head() == *h }

// Validate returns an [ErrFormat] if a change is malformed. A change is malformed if its
// key is not valid, for example because of a malformed connection ID, or if another
// change has the same key. A change that stores a row is malformed if its key is not the
// row's key, or if the row does not have the Rev that [Put] sets.
func Validate(changes ...Change) error {
	for i, c := range changes {
		if emptyRow(c.Key.PK, c.Key.SK) == nil {
			return fmt.Errorf("%w: change has no valid key", ErrFormat)
		}
		if c.Row != nil && (c.Row.Key() != c.Key || c.Row.head().Rev != c.Replaces+1) {
			return fmt.Errorf("%w: change of a %T was not made by Put", ErrFormat, c.Row)
		}
		for _, earlier := range changes[:i] {
			if earlier.Key == c.Key {
				return fmt.Errorf("%w: a %T is changed twice", ErrFormat, emptyRow(c.Key.PK, c.Key.SK))
			}
		}
	}
	return nil
}

// WrittenBy reports whether writer is the ID of the row's last write. For an empty
// writer, WrittenBy returns false.
func WrittenBy(row Row, writer string) bool { return writer != "" && row.head().Writer == writer }

// RevOf returns the Rev of row, or [Absent] if row is nil. To replace or delete row, pass
// the result to [Put] or [Delete] as replaces.
func RevOf(row Row) int64 {
	if row == nil {
		return Absent
	}
	return row.head().Rev
}
