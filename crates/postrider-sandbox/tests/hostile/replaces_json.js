// expect: returns {"a":1}
function handler(input) {
  JSON.stringify = () => 'forged';
  JSON.parse = () => 'forged';
  return { a: 1 };
}
