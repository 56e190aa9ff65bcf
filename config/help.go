package config

// descriptions explain the keys of components that carry no tags of their
// own, by path. An entry also makes the field a key: what is not here (hooks,
// clocks, loggers) can't be configured.
var descriptions = map[string]string{}
