// expect: returns 1 | Timeout
function handler(input) {
  for (let i = 0; i < 1e5; i++) console.log(i);
  return 1;
}
