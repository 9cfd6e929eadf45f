"""The pages: what a street or a home shows to people, over HTTP on a loopback port. They show; they change nothing."""
