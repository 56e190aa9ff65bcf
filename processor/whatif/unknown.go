package whatif

import (
	"strconv"

	"github.com/goccy/go-yaml"

	"tillgate/protocol"
)

// What a draft asks for and the books don't tell, by the place where it stands
// and the key: what the replay takes instead.
var (
	unknownConditions = map[string]string{
		"birthday":    "taken from the members' profiles as they are now",
		"tag":         "taken from the members' profiles as they are now",
		"tender":      "the books don't keep how the money was paid: no receipt has a tender",
		"card_type":   "the books don't keep which card was shown: no receipt has a card type",
		"promo_code":  "of codes that the published programme did not know the books tell nothing",
		"store_group": "taken from the store directory as it is now",
		"partner":     "taken from the store directory as it is now",
	}
	unknownGoods = map[string]string{
		"brand":    "the books don't keep it: taken from the product directory as it is now",
		"supplier": "the books don't keep it: taken from the product directory as it is now",
		"tag":      "the books don't keep it: taken from the product directory as it is now",
	}
	unknownSections = map[string]string{
		"promo_codes": "of codes that the published programme did not know the books tell nothing; limits over all members are not counted",
		"events":      "what events ask of profiles is taken from them as they are now",
		"referral":    "what the draft gives those who invited is added up, but they spend what they really got",
		"guard":       "limits per cashier, terminal and store are not counted in the replay",
	}
)

// unknown lists what a draft asks for that the replay can't know. The draft
// has been compiled, so it is well formed.
func unknown(document []byte) []protocol.Problem {
	var root yaml.MapSlice
	if err := yaml.UnmarshalWithOptions(document, &root, yaml.UseOrderedMap()); err != nil {
		return []protocol.Problem{{Message: "what the draft asks for could not be listed"}}
	}
	var list []protocol.Problem
	for _, item := range root {
		if name, ok := item.Key.(string); ok {
			if message := unknownSections[name]; message != "" && item.Value != nil {
				list = append(list, protocol.Problem{Path: name, Message: message})
			}
			list = unknownIn(list, name, name, item.Value)
		}
	}
	return list
}

// unknownIn walks a part of the document; key is the nearest name above it.
func unknownIn(list []protocol.Problem, path, key string, part any) []protocol.Problem {
	switch part := part.(type) {
	case yaml.MapSlice:
		asked := map[string]map[string]string{"when": unknownConditions, "goods": unknownGoods, "never": unknownGoods}[key]
		for _, item := range part {
			name, ok := item.Key.(string)
			if !ok {
				continue
			}
			at := path + "." + name
			if message := asked[name]; message != "" {
				list = append(list, protocol.Problem{Path: at, Message: message})
			}
			list = unknownIn(list, at, name, item.Value)
		}
	case []any:
		for i, one := range part {
			list = unknownIn(list, path+"["+strconv.Itoa(i)+"]", key, one)
		}
	}
	return list
}
