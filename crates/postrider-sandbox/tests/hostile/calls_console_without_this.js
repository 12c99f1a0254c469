// expect: returns 1
function handler(input) {
  const { log } = console;
  log.call(null, 1);
  Reflect.apply(log, new Proxy({}, {}), []);
  return 1;
}
