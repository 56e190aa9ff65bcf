package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// call sends a request without a duplicate key and reads its answer.
func call(t *testing.T, s *server, method, path, body string) (int, map[string]any) {
	t.Helper()
	req, err := http.NewRequest(method, "http://"+s.gateway.HTTPAddr()+path, strings.NewReader(body))
	require.NoError(t, err)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	var answer map[string]any
	require.NoError(t, json.Unmarshal(raw, &answer), "%s", raw)
	return resp.StatusCode, answer
}

// TestAHundredThousandProductsInOneCall: an office sends its assortment, reads
// a page of it, takes a row out again; one bad row refuses all of them.
func TestAHundredThousandProductsInOneCall(t *testing.T) {
	s := ownTestServer(t)
	var b strings.Builder
	b.WriteString(`{"products":[`)
	const rows = 100_000
	for i := range rows {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"sku":"%013d","name":"Product number %d","category":"category %d","brand":"brand %d","price":%d}`, i, i, i%200, i%500, 100+i)
	}
	b.WriteString(`]}`)
	status, answer := call(t, s, "PUT", "/v1/products", b.String())
	require.Equal(t, 200, status, "%v", answer)
	require.EqualValues(t, rows, answer["merged"])

	_, page := call(t, s, "GET", "/v1/products?limit=2&after="+url.QueryEscape("0000000099997"), "")
	require.Equal(t, []any{
		map[string]any{"sku": "0000000099998", "name": "Product number 99998", "category": "category 198", "brand": "brand 498", "price": 100098.0},
		map[string]any{"sku": "0000000099999", "name": "Product number 99999", "category": "category 199", "brand": "brand 499", "price": 100099.0},
	}, page["products"])
	require.Nil(t, page["next"])

	status, answer = call(t, s, "PUT", "/v1/products", `{"products":[{"sku":"0000000099999","deleted":true},{"sku":"","name":"x"}]}`)
	require.Equal(t, 400, status)
	require.Equal(t, "products[1].sku", answer["field"])
	_, page = call(t, s, "GET", "/v1/products?after=0000000099998", "")
	require.Len(t, page["products"], 1, "nothing of the call was applied")
	status, _ = call(t, s, "PUT", "/v1/products", `{"products":[{"sku":"0000000099999","deleted":true}]}`)
	require.Equal(t, 200, status)
	_, page = call(t, s, "GET", "/v1/products?after=0000000099998", "")
	require.Empty(t, page["products"])
}

// TestCardsFromACarton: an office has cards printed, gives one to a member, who
// buys with it at a till; the next one gets a virtual card.
func TestCardsFromACarton(t *testing.T) {
	s := ownTestServer(t)
	status, answer := call(t, s, "PUT", "/v1/card-templates", `{"templates":[{"id":"gold","pattern":"2200 37## #### ##C","type":"gold","valid":"3y"}]}`)
	require.Equal(t, 200, status, "%v", answer)
	status, _, body := post(t, s, "/v1/cards/batch", "carton", `{"template":"gold","count":1000}`)
	require.Equal(t, 201, status, body)
	var carton struct {
		Numbers []string
		State   string
	}
	require.NoError(t, json.Unmarshal([]byte(body), &carton))
	require.Len(t, carton.Numbers, 1000)
	require.Equal(t, "new", carton.State)
	_, header, again := post(t, s, "/v1/cards/batch", "carton", `{"template":"gold","count":1000}`)
	require.Equal(t, body, again)
	require.Equal(t, "true", header.Get("Idempotent-Replayed"))
	status, _, body = post(t, s, "/v1/cards/batch", "many", `{"template":"gold","count":10001}`)
	require.Equal(t, 400, status, body)

	_, _, body = post(t, s, "/v1/members", "m", `{"phone":"+77011234567"}`)
	var member struct{ ID string }
	require.NoError(t, json.Unmarshal([]byte(body), &member))
	card := carton.Numbers[7]
	sale := fmt.Sprintf(`{"terminal":"T0001","store":"S01","member":{"card":%q},"basket":{"total":100000}}`, card)
	status, _, body = post(t, s, "/v1/accruals", "early", sale)
	require.Equal(t, 404, status, body)
	require.Contains(t, body, "card_not_found")
	require.NotContains(t, body, card)
	status, _, body = post(t, s, "/v1/members/"+member.ID+"/cards", "give", fmt.Sprintf(`{"number":%q}`, card))
	require.Equal(t, 201, status, body)
	require.Contains(t, body, `"state":"active"`)
	require.Contains(t, body, `"type":"gold"`)
	require.NotContains(t, body, card)
	status, _, body = post(t, s, "/v1/accruals", "bought", sale)
	require.Equal(t, 200, status, body)
	require.Contains(t, body, member.ID)

	status, _, body = post(t, s, "/v1/members/"+member.ID+"/cards", "virtual", `{"template":"gold"}`)
	require.Equal(t, 201, status, body)
	require.Regexp(t, `"number":"220037[0-9]{9}"`, body)
	status, _, body = post(t, s, "/v1/members/"+member.ID+"/cards", "both", fmt.Sprintf(`{"template":"gold","number":%q}`, carton.Numbers[8]))
	require.Equal(t, 400, status, body)
}
