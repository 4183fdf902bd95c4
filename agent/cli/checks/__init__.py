"""What `flatpeak-agent check` looks at, a file each."""
