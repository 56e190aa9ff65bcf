package processor

import (
	"errors"
	"slices"

	"tillgate/ledger"
)

// tree is a walk over the friends of a member, theirs and so on, each before
// those below it. A place in it is named by one account, so that a page can
// begin where the last one has ended, whatever has happened in between.
//
// Members who were merged are one node: it stands where the first of them that
// is below the root was invited, is shown by the id where it lives, and has the
// friends of all of them. Who was merged into the root is none.
type tree struct {
	s        *Switch
	merchant string
	root     ledger.AccountID
	roots    []ledger.AccountID // the root and those merged into it
	levels   int

	at    *ledger.Account // nil at the end
	level int             // of at; 1 was invited by the root
}

var errFriend = errors.New("a list of friends names an account that does not exist")

// account reads one that must be there.
func (w *tree) account(id ledger.AccountID) (*ledger.Account, error) {
	a, err := w.s.ledger.Account(id)
	if err == nil && a == nil {
		err = errFriend
	}
	return a, err
}

// follow goes where a link leads; false if there is none.
func (w *tree) follow(key ledger.Key) (bool, error) {
	link, err := w.s.ledger.Link(key)
	if err != nil || link == nil {
		return false, err
	}
	w.at, err = w.account(link.Account)
	return err == nil, err
}

// enter goes to the newest friend of the first of some members that has any.
func (w *tree) enter(members []ledger.AccountID) (bool, error) {
	for _, id := range members {
		if there, err := w.follow(w.s.friendsKey(w.merchant, id)); there || err != nil {
			return there, err
		}
	}
	return false, nil
}

// resume goes to the place that a page has ended before.
func (w *tree) resume(cursor string) (known bool, err error) {
	id, err := ledger.ParseAccountID(cursor)
	if err != nil {
		return false, nil //nolint:nilerr // what is no id is no cursor
	}
	a, err := w.s.ledger.Account(id)
	if err != nil || a == nil || a.Merchant != w.merchant {
		return false, err
	}
	w.at = a
	w.level, err = w.depth(a, w.levels)
	return w.level > 0, err
}

// depth is how many levels below the root an account was invited, 0 if not
// within some.
func (w *tree) depth(a *ledger.Account, within int) (int, error) {
	if within == 0 || a.Referrer() == 0 {
		return 0, nil
	}
	above, err := w.lives(a.Referrer())
	if err != nil || above == 0 {
		return 0, err
	}
	if above == w.root {
		return 1, nil
	}
	if own, err := w.lives(a.ID); err != nil || own == above {
		return 0, err // invited by one who was merged into it
	}
	members, err := w.s.oneWith(w.merchant, above, maxHops)
	for _, id := range members {
		one, bad := w.account(id)
		if err = errors.Join(err, bad); err != nil {
			return 0, err
		}
		if d, err := w.depth(one, within-1); d > 0 || err != nil {
			return d + 1, err
		}
	}
	return 0, err
}

// lives is where an account lives on, 0 if it is erased. Whoever has erased
// itself is found by nobody, nor are those below.
func (w *tree) lives(id ledger.AccountID) (ledger.AccountID, error) {
	id, found, err := w.s.living(w.merchant, id)
	if !found {
		id = 0
	}
	return id, err
}

// place is the account that stands for a living member in the tree.
func (w *tree) place(lives ledger.AccountID) (*ledger.Account, error) {
	members, err := w.s.oneWith(w.merchant, lives, maxHops)
	for _, id := range members {
		one, bad := w.account(id)
		if err = errors.Join(err, bad); err != nil {
			return nil, err
		}
		if d, err := w.depth(one, w.levels); d > 0 || err != nil {
			return one, err
		}
	}
	return nil, err
}

// shown is the living account of the node at this place; nil if it is none.
func (w *tree) shown() (*ledger.Account, error) {
	id, err := w.lives(w.at.ID)
	if err != nil || id == 0 || id == w.root {
		return nil, err
	}
	if place, err := w.place(id); err != nil || place == nil || place.ID != w.at.ID {
		return nil, err
	}
	return w.account(id)
}

// next goes on: below the node, if lives is one, else to who was invited
// before, else up.
func (w *tree) next(lives *ledger.Account) error {
	if lives != nil && w.level < w.levels {
		members, err := w.s.oneWith(w.merchant, lives.ID, maxHops)
		if err != nil {
			return err
		}
		if there, err := w.enter(members); there || err != nil {
			w.level++
			return err
		}
	}
	for {
		if there, err := w.follow(w.s.friendBeforeKey(w.merchant, w.at.ID)); there || err != nil {
			return err
		}
		by := w.at.Referrer()
		above, err := w.lives(by)
		if err != nil || above == 0 {
			w.at = nil // erased meanwhile
			return err
		}
		members, err := w.s.oneWith(w.merchant, above, maxHops)
		if err != nil {
			return err
		}
		if there, err := w.enter(members[slices.Index(members, by)+1:]); there || err != nil {
			return err
		}
		if above == w.root {
			w.at = nil
			return nil
		}
		if w.at, err = w.place(above); w.at == nil || err != nil {
			return err
		}
		w.level--
	}
}

// brought is what a friend's purchases have brought the root and those merged
// into it.
func (w *tree) brought(friend *ledger.Account) (points int64) {
	for _, id := range w.roots {
		points += counterOf(friend, brought(id))
	}
	return points
}
