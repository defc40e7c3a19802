lava-send lava_vm_stop && lava-wait-all lava_vm_stop
