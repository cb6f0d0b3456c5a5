package pebblekv

// Metrics are the engine's numbers that an operator should see.
type Metrics struct {
	LogBytes       uint64 // live data in the log: what the next Open has to read again
	MemTableBytes  uint64 // memory of the batches that are not in tables yet
	CacheBytes     int64  // memory of the blocks that were read
	L0Tables       int64  // young tables; many of them slow reads down
	CompactionDebt uint64 // bytes to be rewritten until the tables are in their best shape
	DiskBytes      uint64 // all files of the store
}

// Metrics returns the numbers of the moment, or zeros when the store is closed or has failed.
func (s *Store) Metrics() Metrics {
	if s.enter() != nil {
		return Metrics{}
	}
	defer s.life.Leave()
	m := s.db.Metrics()
	return Metrics{
		LogBytes:       m.WAL.Size,
		MemTableBytes:  m.MemTable.Size,
		CacheBytes:     m.BlockCache.Size,
		L0Tables:       m.Levels[0].TablesCount,
		CompactionDebt: m.Compact.EstimatedDebt,
		DiskBytes:      m.DiskSpaceUsage(),
	}
}
