"""The HTTP gateway: remote objects for whoever can speak HTTP and JSON. (Wire specification, section 23.)"""
