package hongyan

// Release is the version of this program and its libraries, as users name it.
const Release = "0.1.0"
