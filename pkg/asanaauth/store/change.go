package store

import "fmt"

// Absent is the value of [Change.Replaces] if the row must not exist yet.
const Absent int64 = 0

// Change is the change of one row in a [Store.Write]. Make one with [Put] or [Delete].
type Change struct {
	Key      Key
	Row      Row   // the whole new row, or nil to delete the row
	Replaces int64 // the Rev that the stored row must have, or Absent
}

// Put returns a change that stores row if the stored row has the Rev replaces, or if
// replaces is [Absent] and the row is missing. Put sets the Rev and the Writer of row.
func Put(row Row, replaces int64, writer string) Change {
	*row.head() = Head{Rev: replaces + 1, Writer: writer}
	return Change{Key: row.Key(), Row: row, Replaces: replaces}
}

// Delete returns a change that removes the row if it has the Rev replaces. If the row is
// missing, the change succeeds.
func Delete(key Key, replaces int64) Change { return Change{Key: key, Replaces: replaces} }

// Keys returns the keys of the changes, in their order.
func Keys(changes []Change) []Key {
	keys := make([]Key, len(changes))
	for i, c := range changes {
		keys[i] = c.Key
	}
	return keys
}

// Conflict is the error of a [Store.Write] whose conditions did not hold.
type Conflict struct {
	// Rows has the stored rows of those changes whose condition did not hold. If
	// such a row is missing, Rows has no entry for it.
	Rows Rows
}

// Error returns the text of [ErrConflict].
func (*Conflict) Error() string { return ErrConflict.Error() }

// Is reports whether target is [ErrConflict].
func (*Conflict) Is(target error) bool { return target == ErrConflict }

// Judge decides whether a store applies the changes, given the stored rows of their
// keys. It is for stores that block other writers between the read and the write. If
// apply is false, the store changes nothing and Write returns err. In that case err is
// nil if this write was applied before.
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

// Refused returns the result of a Write whose condition failed, given the stored rows. It
// returns nil if one of those rows is the result of this write, because then the write
// was applied before. Otherwise it returns a [*Conflict].
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

// wrote reports whether the stored row is the result of the write that h describes. It
// returns false if h has no writer.
func (h *Head) wrote(stored Row) bool { return h.Writer != "" && *stored.head() == *h }

// Validate returns an [ErrFormat] if the changes are malformed. Each row must have a valid
// key, which a malformed connection ID does not give. Each change must have the key of
// its row, and the Rev that [Put] sets. A row must not be changed twice.
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

// WrittenBy reports whether writer made the last write of the row. It returns false if
// writer is empty.
func WrittenBy(row Row, writer string) bool { return writer != "" && row.head().Writer == writer }

// RevOf returns the Rev of row, or [Absent] if row is nil. Pass the result to [Put].
func RevOf(row Row) int64 {
	if row == nil {
		return Absent
	}
	return row.head().Rev
}
