// expect: returns 1 | Thrown
function handler(input) {
  const all = [5, 4, 3, 2, 1];
  all.sort((a, b) => { all.length = 0; return a - b; });
  return 1;
}
