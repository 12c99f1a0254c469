// expect: returns {}
function* handler() { yield 1; }
