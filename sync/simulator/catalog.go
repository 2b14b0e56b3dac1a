package simulator

// product is what the account buys: the codes that name it, where it is sold, and what its configuration looks like.
type product struct {
	code, typ string
	prepaid   string // commodity code of a subscription; empty where it is only sold by use
	postpaid  string // commodity code of pay-as-you-go; empty where it is only sold by subscription
	prefix    string // of its instance ids
	suffix    string
	weight    int // how often it is ordered
	// price is what one costs a month, from and to, in hundredths: list prices of the size that the vendor's have.
	price [2]int64
	// effort is how long its delivery takes, in hundredths of the slowest product's.
	effort  int
	regions []string
	modules []module
}

// module is one part of a configuration, in the documented form Module:[Key:Val;Key:Val;].
type module struct {
	name string
	keys []setting
}

type setting struct {
	name   string
	values []string
}

var (
	mainland = []string{"cn-hangzhou", "cn-shanghai", "cn-beijing", "cn-shenzhen", "cn-zhangjiakou"}
	everyone = []string{"cn-hangzhou", "cn-shanghai", "cn-beijing", "cn-hongkong", "ap-southeast-1", "eu-central-1", "us-west-1"}
	nowhere  = []string{"cn-hangzhou"} // products without a region name the vendor's home region
	sizes    = []string{"20", "40", "100", "500", "2048"}
)

// catalog is small and closed: products keep their place, because orders refer to them by it.
var catalog = []product{
	{code: "ecs", typ: "ecs", prepaid: "vm", postpaid: "ecs", prefix: "i-", weight: 30, price: [2]int64{18000, 240000}, effort: 10, regions: everyone, modules: []module{
		{"InstanceType", []setting{
			{"InstanceType", []string{"ecs.g7.large", "ecs.c7.xlarge", "ecs.r7.2xlarge", "ecs.e-c1m2.large"}},
			{"IoOptimized", []string{"IoOptimized"}},
		}},
		{"SystemDisk", []setting{{"SystemDisk.Category", []string{"cloud_essd", "cloud_efficiency"}}, {"SystemDisk.Size", sizes}}},
		{"ImageOs", []setting{{"ImageOs", []string{"linux", "windows"}}}},
	}},
	{code: "disk", typ: "yundisk", prepaid: "yundisk", postpaid: "yundisk", prefix: "d-", weight: 8, price: [2]int64{1000, 70000}, effort: 5, regions: everyone, modules: []module{
		{"DataDisk", []setting{{"DataDisk.Category", []string{"cloud_essd", "cloud_ssd"}}, {"DataDisk.Size", sizes}}},
	}},
	{code: "rds", typ: "rds", prepaid: "rds", postpaid: "bards", prefix: "rm-", weight: 12, price: [2]int64{30000, 500000}, effort: 40, regions: everyone, modules: []module{
		{"Engine", []setting{{"Engine", []string{"mysql", "mssql", "PostgreSQL"}}, {"EngineVersion", []string{"5.7", "8.0", "14.0"}}}},
		{"DBInstanceClass", []setting{{"DBInstanceClass", []string{"rds.mysql.s2.large", "mysql.n4.medium.2c"}}}},
		{"DBInstanceStorage", []setting{{"DBInstanceStorage", sizes}}},
	}},
	{code: "oss", typ: "oss", prepaid: "ossbag", postpaid: "oss", prefix: "oss-", weight: 8, price: [2]int64{900, 200000}, effort: 2, regions: mainland, modules: []module{
		{"PackageType", []setting{{"PackageType", []string{"FPT_ossbag_absolute_Storage_sh", "FPT_ossbag_NetworkOut"}}}},
		{"Capacity", []setting{{"Capacity", sizes}}},
	}},
	{code: "slb", typ: "slb", prepaid: "slb_pre", postpaid: "slb", prefix: "lb-", weight: 7, price: [2]int64{5000, 120000}, effort: 10, regions: everyone, modules: []module{
		{"LoadBalancerSpec", []setting{{"LoadBalancerSpec", []string{"slb.s1.small", "slb.s3.large"}}}},
		{"InternetTrafficOut", []setting{{"ISP", []string{"BGP", "BGP_PRO"}}, {"Bandwidth", []string{"5", "10", "200"}}}},
	}},
	{code: "cdn", typ: "cdn", prepaid: "flowbag", postpaid: "cdn", prefix: "cdn-", weight: 5, price: [2]int64{10000, 300000}, effort: 2, regions: nowhere, modules: []module{
		{"ChargeType", []setting{{"ChargeType", []string{"PayByTraffic", "PayByBandwidth"}}}},
	}},
	{code: "domain", typ: "domain", prepaid: "domain", prefix: "example-", suffix: ".com", weight: 6, price: [2]int64{500, 800}, effort: 1, regions: nowhere, modules: []module{
		{"Domain", []setting{{"Name", []string{"example.com", "例子.cn", "example.net"}}, {"Action", []string{"activate", "renew"}}}},
	}},
	{code: "polardb", typ: "polardb", prepaid: "polardb_sub", postpaid: "polardb_payg", prefix: "pc-", weight: 4, price: [2]int64{90000, 900000}, effort: 60, regions: mainland, modules: []module{
		{"DBNodeClass", []setting{{"DBNodeClass", []string{"polar.mysql.x4.large", "polar.pg.x8.xlarge"}}, {"DBNodes", []string{"2", "4"}}}},
	}},
	{code: "redisa", typ: "redisa", prepaid: "prepaid_kvstore", postpaid: "kvstore", prefix: "r-", weight: 6, price: [2]int64{15000, 350000}, effort: 30, regions: everyone, modules: []module{
		{"InstanceClass", []setting{{"InstanceClass", []string{"redis.master.small.default", "tair.rdb.1g"}}, {"EngineVersion", []string{"6.0", "7.0"}}}},
	}},
	// A captured response shows this one: its commodity code equals its product type.
	{code: "alikafka", typ: "alikafka_post", prepaid: "alikafka_pre", postpaid: "alikafka_post", prefix: "alikafka_post-cn-", weight: 3, price: [2]int64{120000, 600000}, effort: 100, regions: mainland, modules: []module{
		{"PaidType", []setting{{"PaidType", []string{"1"}}, {"IoMaxSpec", []string{"alikafka.hw.2xlarge", "alikafka.hw.3xlarge"}}}},
		{"TopicQuota", []setting{{"TopicQuota", []string{"50", "100"}}}},
	}},
	{code: "csk", typ: "ack_pro", postpaid: "csk_propayg_public_cn", prefix: "c", weight: 3, price: [2]int64{60000, 180000}, effort: 80, regions: everyone, modules: []module{
		{"ClusterSpec", []setting{{"ClusterSpec", []string{"ack.pro.small", "ack.standard"}}}},
	}},
	{code: "eip", typ: "eip", prepaid: "eip_pre", postpaid: "eip", prefix: "eip-", weight: 6, price: [2]int64{2000, 200000}, effort: 5, regions: everyone, modules: []module{
		{"Bandwidth", []setting{{"Bandwidth", []string{"5", "100", "200"}}, {"ISP", []string{"BGP", "BGP_PRO"}}}},
		{"InternetChargeType", []setting{{"InternetChargeType", []string{"PayByTraffic", "PayByBandwidth"}}}},
	}},
	{code: "sms", typ: "dysms", prepaid: "dysmsbag", postpaid: "dysms", prefix: "sms-", weight: 2, price: [2]int64{4000, 200000}, effort: 1, regions: nowhere, modules: []module{
		{"Package", []setting{{"Count", []string{"1000", "50000"}}, {"Note", []string{`up to "70" characters`, "短信套餐"}}}},
	}},
}

var catalogWeight = func() (sum int) {
	for _, p := range catalog {
		sum += p.weight
	}
	return sum
}()

// pickProduct chooses by weight.
func pickProduct(s *random) uint8 {
	n := s.n(catalogWeight)
	for i := range catalog {
		if n -= catalog[i].weight; n < 0 {
			return uint8(i)
		}
	}
	return 0
}

// Order types. The vendor's Chinese metadata lists them all; there is no "Degrade".
const (
	kindNew = iota
	kindRenew
	kindUpgrade
	kindDowngrade
	kindConvert
	kindRefund
	kindTempUpgrade
	kindResizeDisk
	kindCompensatoryRenew
)

var kindNames = [...]string{"New", "Renew", "Upgrade", "Downgrade", "Convert", "Refund", "TempUpgrade", "ResizeDisk", "CompensatoryRenew"}

// kindPrices are what an order of a kind costs, in hundredths of a purchase. A compensation and a downgrade are free.
var kindPrices = [...]int64{100, 100, 30, 0, 100, 100, 5, 10, 0}

// Payment states. A refund has none: the vendor documents NULL.
const (
	statusNone = iota
	statusUnpaid
	statusPaid
	statusCancelled
)

var statusNames = [...]string{"", "Unpaid", "Paid", "Cancelled"}

// operators are RAM users of the account who place orders now and then.
var operators = [...]string{"204837465920183746", "209938475610293847", "221194857362910485", "270018273645910283"}
