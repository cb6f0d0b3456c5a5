package client

const childRole = "HONGYAN_CLIENT_TEST_ROLE"

func child(role string) int { return 0 }
