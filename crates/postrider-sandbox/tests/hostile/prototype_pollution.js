// expect: returns {"a":1}
function handler(input) {
  Object.prototype.polluted = 1;
  Object.prototype.toJSON = function () { return { a: 1 }; };
  Array.prototype.push = null;
  return {};
}
