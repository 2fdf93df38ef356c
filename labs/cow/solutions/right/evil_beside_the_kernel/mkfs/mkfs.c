#error this mkfs is not to be used
