package simulator

import (
	"slices"
	"strings"
	"sync"
)

// Product is one row of BSS's product list. A code may have several types, a type both subscriptions, and some types
// are empty: only the three together name a product.
type Product struct {
	Code, Type, Subscription string
	Name                     string
}

// Products is the list that every account of BSS is told, in its order.
func Products() []Product { return slices.Clone(products()) }

// productCount is how many the documented sample has.
const productCount = 449

var products = sync.OnceValue(func() []Product {
	var all []Product
	add := func(code, typ, name string, prepaid, postpaid bool) {
		for i, subscription := range []string{"Subscription", "PayAsYouGo"} {
			if (prepaid && i == 0 || postpaid && i == 1) && len(all) < productCount {
				all = append(all, Product{Code: code, Type: typ, Subscription: subscription, Name: name})
			}
		}
	}
	for i := range catalog {
		p := &catalog[i]
		add(p.code, p.typ, productNames[p.code], p.prepaid != "", p.postpaid != "")
	}
	add("rds", "rords", productNames["rds"]+" 只读实例", true, true)
	add("rds", "rds_serverless", `RDS "Serverless"`, false, true)
	add("oss", "", productNames["oss"], false, true) // the documented XML sample has an empty type
	for n := 0; len(all) < productCount; n++ {
		code := productStems[n%len(productStems)] + productSuffixes[n/len(productStems)%len(productSuffixes)]
		typ := code
		switch n % 9 {
		case 3:
			typ = ""
		case 5:
			typ = code + "_post"
		}
		add(code, typ, strings.ToUpper(code[:1])+code[1:]+" 产品", n%3 != 1, n%3 != 0)
	}
	// The list has no order that anybody knows of.
	s := newRandom(0, 0, purposeProducts)
	for i := len(all) - 1; i > 0; i-- {
		j := s.n(i + 1)
		all[i], all[j] = all[j], all[i]
	}
	return all
})

var productNames = map[string]string{
	"ecs": "云服务器ECS", "disk": "块存储", "rds": "云数据库RDS", "oss": "对象存储OSS", "slb": "负载均衡", "cdn": "CDN", "domain": "域名",
	"polardb": "云原生数据库PolarDB", "redisa": "云数据库 Tair（兼容 Redis）", "alikafka": "消息队列 Kafka 版", "csk": "容器服务 Kubernetes 版",
	"eip": "弹性公网IP", "sms": "短信服务",
}

var (
	productStems = []string{
		"waf", "ddos", "nas", "kms", "sas", "vpn", "nat", "dts", "drds", "dds", "hbase", "es", "odps", "flink", "emr", "pai",
		"iot", "ons", "gws", "live", "vod", "mts", "imm", "arms", "sls", "acr", "mse", "edas", "fc", "ga", "cen", "hsm",
		"cas", "dcdn", "snsu", "bailian",
	}
	productSuffixes = []string{"", "bag", "pre", "intl", "pro", "lite", "plus", "edge", "dp"}
)

// askProducts reads the question of QueryProductList.
func askProducts(c *call) *Error {
	q := &c.question
	if c.args.Get("PageNum") == "" {
		return errMissing("PageNum")
	}
	var err *Error
	if q.Page, err = intArg(c.args, "PageNum", 0); err != nil {
		return err
	}
	if q.Size, err = intArg(c.args, "PageSize", 20); err != nil {
		return err
	}
	if q.Size > 300 { // documented
		return errParameter("PageSize", c.args.Get("PageSize"))
	}
	if v := c.args.Get("QueryTotalCount"); v != "" && v != "true" && v != "false" {
		return errParameter("QueryTotalCount", v)
	}
	return nil
}

// answerProducts writes one page of the products. Its first page has the message of the documented sample, which is a
// success all the same. That TotalCount is 0 where it was not asked for is unconfirmed.
func answerProducts(c *call, b []byte) []byte {
	q := &c.question
	message := "Successful!"
	if q.Page == 1 {
		message = errNotApplicable.Message
	}
	total := 0
	if c.args.Get("QueryTotalCount") == "true" {
		total = productCount
	}
	size, said := c.size()
	w := c.envelope(b, message)
	w.number("PageNum", int64(q.Page))
	w.number("PageSize", int64(said))
	w.number("TotalCount", c.total(total))
	b = append(w.b, `,"ProductList":{"Product":[`...)
	first := min((q.Page-1)*size, productCount)
	written := 0
	for i, p := range products()[first:min(first+size, productCount)] {
		if c.action.Drop != nil && c.action.Drop(i) {
			continue
		}
		if written > 0 {
			b = append(b, ',')
		}
		written++
		w := object{append(b, '{')}
		w.text("ProductCode", p.Code)
		w.text("ProductName", p.Name)
		w.text("ProductType", p.Type)
		w.text("SubscriptionType", p.Subscription)
		b = append(w.b, '}')
	}
	return append(b, "]}}}"...)
}
