lava-send lava_vm_start ${_LAVA_VM_GROUP_HOST_IP:+"host_ip=$_LAVA_VM_GROUP_HOST_IP"}
