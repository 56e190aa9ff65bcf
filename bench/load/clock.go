package load

import "time"

// Clock writes DE7, DE11, DE12 and DE13 of the n-th message, 26 digits that stand
// one after the other. When the STANs of a terminal
// have all been used the time is another one, and they begin anew: duplicates
// are told by terminal, time and STAN together.
func Clock(base time.Time) func(dst []byte, n uint64) {
	stamp, turn := base.Format("0102150405"), uint64(0)
	return func(dst []byte, n uint64) {
		if n/STANs != turn {
			turn = n / STANs
			stamp = base.Add(time.Duration(turn) * time.Second).Format("0102150405")
		}
		copy(dst, stamp)
		stan := n % STANs
		for i := 15; i >= 10; i-- {
			dst[i] = '0' + byte(stan%10)
			stan /= 10
		}
		copy(dst[16:], stamp[4:])
		copy(dst[22:], stamp[:4])
	}
}
