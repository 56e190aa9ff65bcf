// Package linear holds what tills and shops saw at the same time against one
// that serves a request at a time: there must be an order of all requests, each
// between its sending and its answer, in which a plain account would have given
// the same answers (linearizability, checked by porcupine).
//
// Both edges are real and listen; answers are lost, requests come again, late
// and out of order, and are reversed while they are under way. The program is in
// the tests.
package linear
