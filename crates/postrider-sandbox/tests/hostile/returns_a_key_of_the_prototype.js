// expect: returns {"__proto__":{"a":1}}
function handler(input) {
  return JSON.parse('{"__proto__":{"a":1}}');
}
