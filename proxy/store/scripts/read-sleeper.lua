-- The session as it is now; it stays.
return sleeper()
