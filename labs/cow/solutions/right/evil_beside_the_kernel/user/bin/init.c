#error this program is not to be used
