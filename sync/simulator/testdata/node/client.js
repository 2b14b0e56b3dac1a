// Makes calls with the vendor's own SDK: one call a line of standard input, as JSON, and its outcome a line of standard
// output. The call names a method of the SDK, such as queryOrders, and its request in the SDK's names.
'use strict';

const readline = require('readline');
const bss = require('@alicloud/bssopenapi20171214');
const { $OpenApiUtil } = require('@alicloud/openapi-core');

async function call({ endpoint, accessKeyId, accessKeySecret, securityToken, method, request }) {
  const config = new $OpenApiUtil.Config({ endpoint, protocol: 'HTTP', accessKeyId, accessKeySecret, securityToken });
  const client = new bss.default(config);
  const model = bss[method[0].toUpperCase() + method.slice(1) + 'Request'];
  try {
    const response = await client[method](new model(request));
    return { body: response.body.toMap() };
  } catch (e) {
    const { name, code, message, statusCode, requestId, retryAfter, accessDeniedDetail } = e;
    return { error: { name, code, message, statusCode, requestId, retryAfter, accessDeniedDetail } };
  }
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    process.stdout.write(JSON.stringify(await call(JSON.parse(line))) + '\n');
  }
  process.exit(); // idle connections would keep it
})();
