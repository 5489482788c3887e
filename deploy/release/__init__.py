"""What `make release` runs: wheels, images, bills of materials, licences."""
