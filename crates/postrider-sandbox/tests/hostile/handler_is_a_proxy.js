// expect: returns 1
const handler = new Proxy(() => 1, {});
