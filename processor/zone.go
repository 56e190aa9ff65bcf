package processor

import "time"

// Zone is the time zone of a store's clock: the store directory's, else the
// programme's, else the default. An edge that receives local times without an
// offset needs it to know the moment.
func (s *Switch) Zone(merchant, store string) *time.Location {
	if z := s.directories.of(merchant).zone(store); z != nil {
		return z
	}
	if z := s.programs.zone(merchant); z != nil {
		return z
	}
	return s.o.Zone
}
